//! Helpers for tests that need the whole of `annotator`.
