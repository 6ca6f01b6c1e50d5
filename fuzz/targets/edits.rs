#![no_main]

#[path = "../bodies/mod.rs"]
mod bodies;
#[path = "../seeds.rs"]
mod seeds;

libfuzzer_sys::fuzz_target!(init: seeds::write("edits"), |data: &[u8]| bodies::edits(data));
