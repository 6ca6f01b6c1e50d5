#![no_main]

#[path = "../bodies/mod.rs"]
mod bodies;
#[path = "../bounds.rs"]
mod bounds;
#[path = "../seeds.rs"]
mod seeds;

libfuzzer_sys::fuzz_target!(init: seeds::write("reply"), |data: &[u8]| {
    bodies::reply(data);
    bounds::hold(data, bodies::answered);
});
