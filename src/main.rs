//! The `dorgu` command: parse, run, exit code. Everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    dorgu::cli::main(std::env::args_os())
}
