//! [`Report`](crate::report::Report) → text and JSON, to standard output or to a file.

pub mod json;
pub mod output;
pub mod stream;
pub mod text;
