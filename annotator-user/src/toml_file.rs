//! TOML that somebody wrote: read within bounds, and complained of by file and line.

use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

/// Bytes that a file may have. The built-in knowledge as a whole has a tenth of it.
pub const FILE_MAX: u64 = 4 << 20;

/// Why a file was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// Which file.
    pub file: String,
    /// Which line, counted from 1, where that is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.problem),
            None => write!(f, "{}: {}", self.file, self.problem),
        }
    }
}

impl std::error::Error for FileError {}

/// A text with the name of the file that it comes from.
pub struct Source {
    /// Name of the file.
    pub name: Cow<'static, str>,
    /// What is in it.
    pub text: Cow<'static, str>,
}

impl Source {
    /// Reads a file that is not larger than [`FILE_MAX`], whatever its size claims to be.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let name = path.display().to_string();
        let refused = |line, problem| FileError { file: name.clone(), line, problem };
        let file = fs::File::open(path).map_err(|error| refused(None, format!("cannot open it: {error}")))?;
        let mut bytes = Vec::new();
        file.take(FILE_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| refused(None, format!("cannot read it: {error}")))?;
        if bytes.len() as u64 > FILE_MAX {
            return Err(refused(None, format!("larger than {} MiB: nobody wrote that by hand", FILE_MAX >> 20)));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
            refused(Some(line), "not UTF-8 text".to_owned())
        })?;
        Ok(Source { name: name.into(), text: text.into() })
    }

    /// The line on which something starts, counted from 1.
    pub fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        1 + before.bytes().filter(|byte| *byte == b'\n').count()
    }

    /// A complaint about what stands at `span`.
    pub fn error(&self, span: Option<Range<usize>>, problem: impl Into<String>) -> FileError {
        let line = span.map(|span| self.line(&span));
        FileError { file: self.name.clone().into_owned(), line, problem: problem.into() }
    }

    /// What the TOML parser complains of.
    pub fn not_toml(&self, error: &toml::de::Error) -> FileError {
        self.error(error.span(), error.message().trim_end().replace('\n', "; "))
    }
}
