//! The agent of `annotator` as a library.
