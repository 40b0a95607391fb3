//! Set-up, build, test, bench and demo of `annotator`.
fn main() {}
