//! Reads the bytes of one file.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::rest::Stamp;

/// Largest file that is read, in bytes.
pub const MAX_FILE_SIZE: u64 = 16 * 1024 * 1024;

/// Why a file's bytes could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadFailure {
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    #[error("larger than {MAX_FILE_SIZE} bytes; split it")]
    TooLarge,
}

/// A file's bytes, and its stamp after the last of them was read.
pub(super) fn read(path: &Path) -> Result<(Vec<u8>, Stamp), ReadFailure> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    file.by_ref().take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_SIZE {
        return Err(ReadFailure::TooLarge);
    }
    Ok((bytes, Stamp::of(&file.metadata()?)))
}
