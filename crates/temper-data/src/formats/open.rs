//! Opening text files: decompression, and a first look at the bytes.

use super::{Compression, unreadable};
use crate::DataError;
use crate::error::Place;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

/// Bytes of text, decompressed, without a byte-order mark.
pub(crate) type Text = Box<dyn BufRead + Send>;

const BUFFER: usize = 1 << 17;
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// First bytes of formats that files have under a wrong name.
const KINDS: [(&[u8], &str, &str); 8] = [
    (b"\x1f\x8b", "gzip data", "Add `.gz` to its name"),
    (b"\x28\xb5\x2f\xfd", "Zstandard data", "Add `.zst` to its name"),
    (b"PAR1", "a Parquet file", "Name it `.parquet`"),
    (b"ARROW1", "an Arrow file", "Name it `.arrow`"),
    (b"\xff\xff\xff\xff", "an Arrow stream", "Name it `.arrow`"),
    (b"PK\x03\x04", "a zip archive", "Unpack it first"),
    (b"\xfd7zXZ\0", "xz data", "Unpack it first"),
    (b"BZh", "bzip2 data", "Unpack it first"),
];

/// What the first bytes of a file say it is, and what to do when it was taken for something else.
pub(crate) fn kind_of(head: &[u8]) -> Option<(&'static str, &'static str)> {
    KINDS.iter().find(|(magic, ..)| head.starts_with(magic)).map(|(_, name, remedy)| (*name, *remedy))
}

/// Opens any file.
pub(crate) fn file(path: &Path, shown: &str) -> Result<File, DataError> {
    File::open(path).map_err(|e| Place::file(shown).error(format!("cannot open the file: {e}"), "Check its rights"))
}

/// Opens a text file, decompressing it where its name ends in `.gz` or `.zst`. The bytes of another format, and UTF-16, are
/// errors; a byte-order mark is dropped.
pub(crate) fn text(path: &Path, shown: &str) -> Result<Text, DataError> {
    let place = Place::file(shown);
    let (head, raw) = peek(BufReader::with_capacity(BUFFER, file(path, shown)?), place)?;
    let Some(compression) = Compression::of(path) else {
        return plain(&head, raw, place);
    };
    let fits = match compression {
        Compression::Gzip => head.starts_with(b"\x1f\x8b"),
        // A stream of Zstandard may begin with frames to be skipped.
        Compression::Zstd => {
            head.starts_with(b"\x28\xb5\x2f\xfd")
                || (head.get(1..4) == Some(b"\x2a\x4d\x18") && head.first().is_some_and(|b| b >> 4 == 5))
        }
    };
    if !fits {
        let found = match kind_of(&head) {
            Some((name, _)) => name,
            None if head.is_empty() => "empty",
            None => "not compressed",
        };
        return Err(place.error(
            format!("the name says {}, but the file is {found}", compression.name()),
            if head.is_empty() { "Write the file anew" } else { "Correct the end of its name" },
        ));
    }
    let whole = Cursor::new(head).chain(raw);
    let inner: Box<dyn Read + Send> = match compression {
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(whole)),
        Compression::Zstd => {
            Box::new(zstd::stream::read::Decoder::with_buffer(whole).map_err(|e| unreadable(place, &e))?)
        }
    };
    let inner = Decompressed { inner, name: compression.name() };
    let (head, rest) = peek(BufReader::with_capacity(BUFFER, inner), place)?;
    plain(&head, rest, place)
}

/// The first bytes, and the rest.
fn peek<R: BufRead>(mut reader: R, place: Place) -> Result<(Vec<u8>, R), DataError> {
    const LOOK: u64 = 16;
    let mut head = Vec::new();
    reader.by_ref().take(LOOK).read_to_end(&mut head).map_err(|e| unreadable(place, &e))?;
    Ok((head, reader))
}

fn plain(head: &[u8], rest: impl BufRead + Send + 'static, place: Place) -> Result<Text, DataError> {
    // An Arrow stream begins like UTF-16's mark, and is none.
    if let Some((name, remedy)) = kind_of(head) {
        return Err(place.error(format!("this is not text but {name}"), remedy));
    }
    if head.starts_with(b"\xFF\xFE") || head.starts_with(b"\xFE\xFF") {
        return Err(Place::line(place.file, 1)
            .error("the file is in UTF-16, expected UTF-8", "Convert it: `iconv -f UTF-16 -t UTF-8 FILE > NEW`"));
    }
    let head = head.strip_prefix(BOM).unwrap_or(head).to_vec();
    Ok(Box::new(Cursor::new(head).chain(rest)))
}

/// Names the compression in errors.
struct Decompressed<R> {
    inner: R,
    name: &'static str,
}

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(e.kind(), format!("the {} data ends too early", self.name)),
            // Zstandard's errors come under the kind `Other`.
            _ => io::Error::new(io::ErrorKind::InvalidData, format!("the {} data is damaged: {e}", self.name)),
        })
    }
}
