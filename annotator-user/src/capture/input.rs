//! Bytes of a capture, from a file, from standard input, compressed or not, through one buffer that slides over them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};
use flate2::read::MultiGzDecoder;

/// First bytes of a gzip stream (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// What is read at once.
const CHUNK: usize = 256 * 1024;

/// A capture's bytes. Nothing is allocated for bytes that are merely promised: the buffer grows only as they come in.
pub struct Input {
    reader: Box<dyn Read>,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that were read and not consumed.
    start: usize,
    end: usize,
    /// Bytes consumed since the beginning.
    consumed: u64,
    ended: bool,
}

impl Input {
    /// Opens a file, or standard input for `-`. `progress` sees each piece that is read, before decompression.
    pub fn open(path: &Path, progress: impl FnMut(usize) + 'static) -> Result<Self> {
        let raw: Box<dyn Read> = if path == Path::new("-") {
            Box::new(io::stdin())
        } else {
            let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
            let kind = file.metadata().with_context(|| format!("cannot look at {}", path.display()))?.file_type();
            if kind.is_dir() {
                bail!("{} is a directory; name the capture files in it", path.display());
            }
            Box::new(file)
        };
        let mut input = Input::new(Box::new(Watched { reader: raw, progress }));
        let magic = input.peek(GZIP_MAGIC.len()).with_context(|| format!("cannot read {}", path.display()))?;
        if magic.starts_with(&GZIP_MAGIC) {
            let beginning = io::Cursor::new(input.buffer[input.start..input.end].to_vec());
            input = Input::new(Box::new(MultiGzDecoder::new(beginning.chain(input.reader))));
        }
        Ok(input)
    }

    /// Over any bytes.
    pub fn new(reader: Box<dyn Read>) -> Self {
        Input { reader, buffer: vec![0; CHUNK], start: 0, end: 0, consumed: 0, ended: false }
    }

    /// The bytes that come next: at least `wanted`, or all that there are.
    #[inline]
    pub fn peek(&mut self, wanted: usize) -> io::Result<&[u8]> {
        if self.end - self.start < wanted {
            self.fill(wanted)?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    #[cold]
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        while self.end - self.start < wanted && !self.ended {
            if self.start != 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            if self.end == self.buffer.len() {
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Moves past bytes that were peeked at.
    #[inline]
    pub fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.end - self.start);
        self.start += count;
        self.consumed += count as u64;
    }

    /// Moves past bytes, whether they were peeked at or not. Returns how many there were.
    pub fn skip(&mut self, count: u64) -> io::Result<u64> {
        let mut left = count;
        while left > 0 {
            let here = self.peek(1)?.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if here == 0 {
                break;
            }
            self.consume(here);
            left -= here as u64;
        }
        Ok(count - left)
    }

    /// Bytes consumed so far.
    pub fn position(&self) -> u64 {
        self.consumed
    }
}

/// Tells somebody how much was read.
struct Watched<F> {
    reader: Box<dyn Read>,
    progress: F,
}

impl<F: FnMut(usize)> Read for Watched<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        (self.progress)(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out one byte at a time.
    struct Trickle(Vec<u8>);

    impl Read for Trickle {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() || buffer.is_empty() {
                return Ok(0);
            }
            buffer[0] = self.0.remove(0);
            Ok(1)
        }
    }

    #[test]
    fn short_reads_are_put_together() {
        let mut input = Input::new(Box::new(Trickle((0..10).collect())));
        assert_eq!(input.peek(4).unwrap(), [0, 1, 2, 3]);
        input.consume(3);
        assert_eq!(input.peek(2).unwrap(), [3, 4]);
        assert_eq!(input.skip(4).unwrap(), 4);
        assert_eq!(input.position(), 7);
        assert_eq!(input.peek(100).unwrap(), [7, 8, 9]);
        assert_eq!(input.skip(100).unwrap(), 3);
        assert!(input.peek(1).unwrap().is_empty());
    }

    #[test]
    fn the_buffer_grows_with_what_comes_not_with_what_is_asked() {
        let mut input = Input::new(Box::new(io::Cursor::new(vec![7; 3 * CHUNK])));
        assert_eq!(input.peek(usize::MAX).unwrap().len(), 3 * CHUNK);
        assert!(input.buffer.len() <= 8 * CHUNK);
    }
}
