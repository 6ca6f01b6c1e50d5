//! The `dorgu` command.

fn main() {}
