//! Rows to packed tokens in a Parquet file, in the columns that TRL's own packing makes.

use super::unwritable;
use crate::error::Place;
use crate::pack::WINDOW;
use crate::tokens::{LEARNED, hex};
use crate::{Batching, DataError, EncodeReport, EncodedRow, Encoding, Row, batches};
use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use arrow_array::builder::{Int32Builder, ListBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use temper_text::Example;

/// Rows that are read, and encoded on all threads, at a time.
const BATCH: usize = 512;
/// The label of a token that is not learned.
const IGNORED: i32 = -100;

/// What [`pack_each`] wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct Packed {
    /// Packed rows of the file.
    pub batches: usize,
    /// Share of their room that tokens fill.
    pub fill_rate: f64,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// SHA-256 in hexadecimal of the examples' lengths, ids and marks, in the order of the rows: the digest of
    /// [`Tokens`](crate::Tokens) of the same rows.
    pub digest: String,
}

/// Encodes rows as they come, packs each 4096 examples best-fit into batches of `limit` tokens, and writes a Parquet file with a
/// row per batch: `input_ids`, `labels` (-100 where nothing is learned, the first token of an example included) and
/// `seq_lengths`, lists of 32-bit integers. `datasets.load_dataset("parquet", …)` reads it, and TRL's `SFTTrainer` with
/// `padding_free=True` trains on it as it is.
///
/// Reading, encoding and writing go on at the same time; in memory is what one window of examples needs. `each` is told of
/// every row and of the rows that cannot be read, in order, and ends the work by an error.
///
/// # Errors
/// What `each` returns, or what a check found that stops a run (as [`EncodeReport::stop`], under the name `source`); the file
/// cannot be written. Then there is no new file.
pub fn pack_each<E: From<DataError> + Send>(
    mut rows: impl Iterator<Item = Result<Row, DataError>> + Send,
    encoding: &Encoding,
    limit: usize,
    path: &Path,
    source: &str,
    mut each: impl FnMut(Result<&Row, &DataError>) -> Result<(), E>,
) -> Result<(Packed, EncodeReport), E> {
    let mut file = PackedFile::create(path, limit)?;
    let mut report = EncodeReport::default();
    std::thread::scope(|scope| {
        let (read, batches) = sync_channel::<Vec<Result<Row, DataError>>>(1);
        scope.spawn(move || {
            loop {
                let batch: Vec<_> = rows.by_ref().take(BATCH).collect();
                if batch.is_empty() || read.send(batch).is_err() {
                    break;
                }
            }
        });
        let (full, windows) = sync_channel::<Window>(1);
        let writer = scope.spawn(move || {
            for window in windows {
                file.write(&window)?;
            }
            Ok::<_, DataError>(file)
        });
        let mut window = Window::default();
        let work = || -> Result<(), E> {
            for batch in batches {
                for item in encoded(batch, encoding) {
                    let (row, made) = match item {
                        Ok(item) => item,
                        Err(error) => {
                            report.add_unreadable(&error);
                            each(Err(&error))?;
                            continue;
                        }
                    };
                    report.add(&row, &made, encoding.allow);
                    each(Ok(&row))?;
                    for example in &made.examples {
                        window.push(example);
                        if window.ends.len() == WINDOW && full.send(std::mem::take(&mut window)).is_err() {
                            // The writer has an error to tell.
                            return Ok(());
                        }
                    }
                }
            }
            if !window.ends.is_empty() {
                let _ = full.send(std::mem::take(&mut window));
            }
            Ok(())
        };
        let worked = work();
        drop(full);
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        worked?;
        let file = written?;
        report.stop(source)?;
        Ok((file.finish()?, report))
    })
}

fn encoded(batch: Vec<Result<Row, DataError>>, encoding: &Encoding) -> Vec<Result<(Row, EncodedRow), DataError>> {
    let encode = |row: Row| {
        let made = encoding.row(&row);
        (row, made)
    };
    batch.into_par_iter().map(|row| row.map(encode)).collect()
}

/// Examples one after another: ids with the mark of what is learned, and where each ends.
#[derive(Default)]
struct Window {
    stored: Vec<u32>,
    ends: Vec<usize>,
}

impl Window {
    fn push(&mut self, example: &Example) {
        let learned = |mark: &bool| if *mark { LEARNED } else { 0 };
        self.stored.extend(example.ids.iter().zip(&example.trainable).map(|(id, mark)| id | learned(mark)));
        self.ends.push(self.stored.len());
    }

    fn example(&self, index: usize) -> &[u32] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.stored[start..self.ends[index]]
    }
}

/// The file, as it is written.
struct PackedFile {
    path: std::path::PathBuf,
    shown: String,
    beside: tempfile::TempPath,
    out: ArrowWriter<BufWriter<File>>,
    limit: usize,
    windows: u64,
    batches: usize,
    tokens: u64,
    room: u64,
    hash: Sha256,
}

impl PackedFile {
    fn create(path: &Path, limit: usize) -> Result<Self, DataError> {
        let shown = path.display().to_string();
        let place = Place::file(&shown);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let (file, beside) = super::beside(path, folder).map_err(|e| unwritable(place, &e))?.into_parts();
        // Ids of a large vocabulary compress little; a fast way keeps writing from being what one waits for.
        let properties = WriterProperties::builder()
            .set_compression(Compression::LZ4_RAW)
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .build();
        let out = ArrowWriter::try_new(BufWriter::with_capacity(1 << 20, file), schema(), Some(properties));
        let out = out.map_err(|e| failed(&shown, e))?;
        let path = path.to_owned();
        Ok(Self { path, shown, beside, out, limit, windows: 0, batches: 0, tokens: 0, room: 0, hash: Sha256::new() })
    }

    /// Packs and writes a window, as a row group of its own.
    fn write(&mut self, window: &Window) -> Result<(), DataError> {
        let length = |i: usize| window.example(i).len();
        for i in 0..window.ends.len() {
            self.hash.update((length(i) as u64).to_le_bytes());
            self.hash.update(bytemuck::cast_slice::<u32, u8>(window.example(i)));
        }
        let packed = batches(length, window.ends.len(), Batching::Packed(self.limit), 0, self.windows);
        self.windows += 1;
        self.batches += packed.len();
        let (mut ids, mut labels, mut lengths) = (list(window.stored.len()), list(window.stored.len()), list(0));
        let mut learned: Vec<i32> = Vec::new();
        let mut plain: Vec<i32> = Vec::new();
        for batch in &packed {
            let mut inside = 0;
            for i in batch {
                let example = window.example(*i);
                plain.clear();
                plain.extend(example.iter().map(|id| (id & !LEARNED) as i32));
                learned.clear();
                learned
                    .extend(example.iter().map(|id| if id & LEARNED == 0 { IGNORED } else { (id & !LEARNED) as i32 }));
                if let Some(first) = learned.first_mut() {
                    *first = IGNORED;
                }
                ids.values().append_slice(&plain);
                labels.values().append_slice(&learned);
                lengths.values().append_value(i32::try_from(example.len()).unwrap_or(i32::MAX));
                inside += example.len();
            }
            ids.append(true);
            labels.append(true);
            lengths.append(true);
            self.tokens += inside as u64;
            self.room += inside.max(self.limit) as u64;
        }
        let columns: [ArrayRef; 3] = [Arc::new(ids.finish()), Arc::new(labels.finish()), Arc::new(lengths.finish())];
        let rows = RecordBatch::try_new(schema(), columns.to_vec()).map_err(|e| failed(&self.shown, e.into()))?;
        self.out.write(&rows).and_then(|()| self.out.flush()).map_err(|e| failed(&self.shown, e))
    }

    fn finish(self) -> Result<Packed, DataError> {
        let Self { path, shown, beside, out, batches, tokens, room, hash, .. } = self;
        let mut out = out.into_inner().map_err(|e| failed(&shown, e))?;
        let named = out.flush().and_then(|()| {
            let file = out.get_ref();
            file.sync_all()?;
            let bytes = file.metadata()?.len();
            beside.persist(&path)?;
            Ok(bytes)
        });
        let bytes = named.map_err(|e| unwritable(Place::file(&shown), &e))?;
        let fill_rate = if room == 0 { 1.0 } else { tokens as f64 / room as f64 };
        Ok(Packed { batches, fill_rate, bytes, digest: hex(hash) })
    }
}

fn schema() -> Arc<Schema> {
    let column = |name: &str| Field::new_list(name, element(), false);
    Arc::new(Schema::new(vec![column("input_ids"), column("labels"), column("seq_lengths")]))
}

fn element() -> Field {
    Field::new("element", DataType::Int32, false)
}

fn list(values: usize) -> ListBuilder<Int32Builder> {
    ListBuilder::new(Int32Builder::with_capacity(values)).with_field(element())
}

fn failed(shown: &str, error: ::parquet::errors::ParquetError) -> DataError {
    let place = Place::file(shown);
    match error {
        ::parquet::errors::ParquetError::External(e) => match e.downcast::<std::io::Error>() {
            Ok(e) => unwritable(place, &e),
            Err(e) => place.error(format!("cannot write the tokens: {e}"), "Write elsewhere"),
        },
        other => place.error(format!("cannot write the tokens: {other}"), "Write elsewhere"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_an_error_that_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = PackedFile::create(&folder.path().join("p.parquet"), 64).unwrap();
        let full = File::options().write(true).open("/dev/full").unwrap();
        file.out = ArrowWriter::try_new(BufWriter::new(full), schema(), None).unwrap();
        let mut window = Window::default();
        for i in 0..WINDOW as u32 {
            let ids: Vec<u32> = (0..40).map(|k| i.wrapping_mul(2_654_435_761 + k) >> 8).collect();
            window.push(&Example { trainable: vec![true; ids.len()], ids, ..Example::default() });
        }
        let error = file.write(&window).and_then(|()| file.finish().map(drop)).unwrap_err().to_string();
        assert!(
            error.contains("No space left") && error.ends_with("Free space on the disk, or write elsewhere"),
            "{error}"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_not_learned_has_no_label() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.parquet");
        let mut file = PackedFile::create(&path, 8).unwrap();
        let mut window = Window::default();
        for (ids, learned) in [(vec![5, 6, 7], [true, false, true]), (vec![1, 2, 3], [false, true, true])] {
            window.push(&Example { ids, trainable: learned.to_vec(), ..Example::default() });
        }
        file.write(&window).unwrap();
        let packed = file.finish().unwrap();
        assert_eq!((packed.batches, packed.fill_rate), (1, 0.75));
        let row = crate::Records::open(&path).unwrap().next().unwrap().unwrap().fields;
        assert_eq!(row["seq_lengths"], serde_json::json!([3, 3]));
        // Best fit may put either first; nothing predicts the first token of an example.
        let both = (row["input_ids"].to_string(), row["labels"].to_string());
        let first = ("[5,6,7,1,2,3]".to_owned(), "[-100,-100,7,-100,2,3]".to_owned());
        let second = ("[1,2,3,5,6,7]".to_owned(), "[-100,2,3,-100,-100,7]".to_owned());
        assert!(both == first || both == second, "{both:?}");
    }
}
