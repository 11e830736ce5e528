//! Tokenised examples: in memory while they are few, in a file without a name when they are many.

use crate::DataError;
use crate::error::Place;
use memmap2::Mmap;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use temper_text::Example;

/// Bytes of tokens that are held in memory before they go to a file: 64 MiB, which are 16 Mi tokens.
const IN_MEMORY: usize = 64 << 20;
/// The bit of a stored id that marks a token to learn.
pub(crate) const LEARNED: u32 = 1 << 31;

/// Where an example came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Origin {
    /// End of its tokens.
    end: u64,
    prompt_len: u32,
    targets: u32,
    file: u32,
    line: u32,
}

/// Examples as token ids with the mark of which are learned. What stays in memory of each example is 32 bytes; the tokens
/// are mapped from a file once they are more than 64 MiB. The file has no name, so that nothing is left behind however the
/// process ends.
pub struct Tokens {
    stored: Stored,
    origins: Vec<Origin>,
    files: Vec<String>,
    digest: String,
    targets: u64,
    /// Which examples there are, by their number as they were written; all of them in order where it is not given.
    order: Option<Vec<u32>>,
    total: u64,
}

enum Stored {
    Memory(Vec<u32>),
    File(Mmap),
}

/// One example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// Token ids.
    pub ids: Vec<u32>,
    /// Which of them are learned.
    pub trainable: Vec<bool>,
    /// How many of them are the prompt.
    pub prompt_len: usize,
}

impl From<Example> for TokenRow {
    fn from(example: Example) -> Self {
        let Example { ids, trainable, prompt_len, .. } = example;
        Self { ids, trainable, prompt_len }
    }
}

impl Tokens {
    /// Number of examples.
    pub fn len(&self) -> usize {
        self.order.as_ref().map_or(self.origins.len(), Vec::len)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// These examples of all, by number, in this order; one may come several times.
    pub fn select(self, order: Vec<u32>) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.digest.as_bytes());
        hash.update(bytemuck::cast_slice::<u32, u8>(&order));
        let mut out = Self { order: Some(order), digest: hex(hash), ..self };
        out.total = (0..out.len()).map(|i| out.length(i) as u64).sum();
        out.targets = (0..out.len()).map(|i| out.targets_of(i) as u64).sum();
        out
    }

    /// The number under which an example was written.
    fn at(&self, index: usize) -> usize {
        self.order.as_ref().map_or(index, |order| order[index] as usize)
    }

    /// Tokens of all examples.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Tokens of all examples that are learned.
    pub fn targets(&self) -> u64 {
        self.targets
    }

    /// Tokens of one example.
    pub fn length(&self, index: usize) -> usize {
        let at = self.at(index);
        (self.origins[at].end - self.start(at)) as usize
    }

    /// Tokens of one example that are its prompt.
    pub fn prompt_len(&self, index: usize) -> usize {
        self.origins[self.at(index)].prompt_len as usize
    }

    /// One example.
    pub fn get(&self, index: usize) -> TokenRow {
        let stored = self.stored(index);
        TokenRow {
            ids: stored.iter().map(|id| id & !LEARNED).collect(),
            trainable: stored.iter().map(|id| id & LEARNED != 0).collect(),
            prompt_len: self.prompt_len(index),
        }
    }

    /// Tokens of one example that can be learned: those marked, but for the first token, which nothing predicts.
    pub fn targets_of(&self, index: usize) -> usize {
        self.origins[self.at(index)].targets as usize
    }

    /// `file:line` of the row that an example is of.
    pub fn place(&self, index: usize) -> String {
        let origin = self.origins[self.at(index)];
        format!("{}:{}", self.files[origin.file as usize], origin.line)
    }

    /// SHA-256 in hexadecimal of the lengths, ids and marks, in order.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Where the tokens of the example that was written as number `at` begin.
    fn start(&self, at: usize) -> u64 {
        if at == 0 { 0 } else { self.origins[at - 1].end }
    }

    fn stored(&self, index: usize) -> &[u32] {
        let at = self.at(index);
        let (start, end) = (self.start(at) as usize, self.origins[at].end as usize);
        match &self.stored {
            Stored::Memory(ids) => &ids[start..end],
            // The file is written as whole numbers from its start, and a mapping begins at a page.
            Stored::File(map) => &bytemuck::cast_slice(map)[start..end],
        }
    }
}

/// Takes examples one after another.
pub struct TokenWriter<'a> {
    folder: &'a Path,
    memory: Vec<u32>,
    file: Option<BufWriter<File>>,
    origins: Vec<Origin>,
    files: Vec<String>,
    hash: Sha256,
    targets: u64,
    limit: usize,
}

impl<'a> TokenWriter<'a> {
    /// A writer that makes its file, should it need one, in `folder`.
    pub fn new(folder: &'a Path) -> Self {
        Self {
            folder,
            memory: Vec::new(),
            file: None,
            origins: Vec::new(),
            files: Vec::new(),
            hash: Sha256::new(),
            targets: 0,
            limit: IN_MEMORY,
        }
    }

    /// Appends an example of the row at `file` and `line`.
    ///
    /// # Errors
    /// The file cannot be made or written, as on a full disk.
    pub fn push(&mut self, example: &TokenRow, file: &str, line: usize) -> Result<(), DataError> {
        let learned = |mark: &bool| if *mark { LEARNED } else { 0 };
        let stored = example.ids.iter().zip(&example.trainable).map(|(id, mark)| id | learned(mark));
        let from = self.memory.len();
        self.memory.extend(stored);
        let targets = example.trainable.iter().skip(1).filter(|mark| **mark).count();
        self.targets += targets as u64;
        self.hash.update((example.ids.len() as u64).to_le_bytes());
        self.hash.update(bytemuck::cast_slice::<u32, u8>(&self.memory[from..]));
        if self.files.last().is_none_or(|last| last != file) {
            self.files.push(file.to_owned());
        }
        let before = self.origins.last().map_or(0, |last| last.end);
        self.origins.push(Origin {
            end: before + example.ids.len() as u64,
            prompt_len: example.prompt_len as u32,
            targets: targets as u32,
            file: self.files.len() as u32 - 1,
            line: u32::try_from(line).unwrap_or(u32::MAX),
        });
        if self.memory.len() * size_of::<u32>() >= self.limit {
            self.flush()?;
        }
        Ok(())
    }

    /// Everything that was pushed.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(mut self) -> Result<Tokens, DataError> {
        let stored = if self.file.is_some() {
            self.flush()?;
            let file = self.file.take().map(BufWriter::into_inner);
            match file {
                Some(Ok(file)) => Stored::File(self.map(&file)?),
                Some(Err(e)) => return Err(self.failed(&e.into_error())),
                None => Stored::Memory(Vec::new()),
            }
        } else {
            Stored::Memory(std::mem::take(&mut self.memory))
        };
        let total = self.origins.last().map_or(0, |last| last.end);
        Ok(Tokens {
            stored,
            origins: self.origins,
            files: self.files,
            digest: hex(self.hash),
            targets: self.targets,
            order: None,
            total,
        })
    }

    fn flush(&mut self) -> Result<(), DataError> {
        if self.file.is_none() {
            let file = tempfile::tempfile_in(self.folder).map_err(|e| self.failed(&e))?;
            self.file = Some(BufWriter::with_capacity(1 << 20, file));
        }
        let bytes = bytemuck::cast_slice::<u32, u8>(&self.memory);
        let written = self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes).and_then(|()| file.flush()));
        written.map_err(|e| self.failed(&e))?;
        self.memory.clear();
        Ok(())
    }

    fn map(&self, file: &File) -> Result<Mmap, DataError> {
        // SAFETY: nobody else can open a file without a name, so its bytes stay as they were written.
        unsafe { Mmap::map(file) }.map_err(|e| self.failed(&e))
    }

    fn failed(&self, error: &std::io::Error) -> DataError {
        let folder = self.folder.display().to_string();
        Place::file(&folder).error(
            format!("cannot keep the tokens in a file here: {error}"),
            "Make room on the disk, or write the run elsewhere",
        )
    }
}

pub(crate) fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ids: &[u32], prompt_len: usize) -> TokenRow {
        TokenRow { ids: ids.to_vec(), trainable: (0..ids.len()).map(|i| i >= prompt_len).collect(), prompt_len }
    }

    #[test]
    fn examples_come_back_from_memory_and_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let written = |limit: usize| {
            let mut writer = TokenWriter { limit, ..TokenWriter::new(folder.path()) };
            for i in 0..100u32 {
                writer.push(&row(&[i, i + 1, i + 2][..1 + i as usize % 3], 1), "a.jsonl", i as usize + 1).unwrap();
            }
            writer.finish().unwrap()
        };
        let (memory, file) = (written(IN_MEMORY), written(64));
        assert!(matches!(memory.stored, Stored::Memory(_)) && matches!(file.stored, Stored::File(_)));
        for tokens in [&memory, &file] {
            assert_eq!((tokens.len(), tokens.length(5), tokens.place(5)), (100, 3, "a.jsonl:6".into()));
            assert_eq!(tokens.get(5), row(&[5, 6, 7], 1));
            assert_eq!((tokens.targets_of(5), tokens.targets_of(3)), (2, 0));
            assert_eq!(tokens.targets(), (0..100).map(|i| tokens.targets_of(i) as u64).sum::<u64>());
        }
        assert_eq!(memory.digest(), file.digest());
        assert_eq!(memory.total(), (0..100).map(|i| memory.length(i) as u64).sum::<u64>());
        // The file has no name.
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_selection_repeats_and_leaves_out() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = TokenWriter::new(folder.path());
        for i in 1..=3u32 {
            writer.push(&row(&vec![i; i as usize], 0), "a.jsonl", i as usize).unwrap();
        }
        let all = writer.finish().unwrap();
        let digest = all.digest().to_owned();
        let some = all.select(vec![2, 0, 2]);
        assert_eq!((some.len(), some.total(), some.targets()), (3, 7, 4));
        assert_eq!((some.get(2).ids, some.place(1)), (vec![3; 3], "a.jsonl:1".into()));
        assert_ne!(some.digest(), digest);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let mut writer = TokenWriter { limit: 4, ..TokenWriter::new(Path::new("/no/such/folder")) };
        let e = writer.push(&row(&[1], 0), "a", 1).unwrap_err().to_string();
        assert!(e.starts_with("/no/such/folder: cannot keep the tokens") && e.contains("Make room"), "{e}");
    }
}
