//! The one integration binary: each file below is a topic.
#![expect(unreachable_pub, reason = "one binary: nothing in it can be reached from outside")]

#[cfg(test)]
use dorgu_testbed as bed;
#[cfg(test)]
use dorgu_testbed::https;

// `cfg(test)` is always set here. It makes clippy treat these as tests, which report by a panic.
#[cfg(test)]
mod alerts;
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod certs;
#[cfg(test)]
mod chart;
#[cfg(test)]
mod check;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod companion;
#[cfg(test)]
mod documented;
#[cfg(test)]
mod endurance;
#[cfg(test)]
mod file_mode;
#[cfg(test)]
mod fix;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod fuzzed;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod image;
#[cfg(test)]
mod images;
#[cfg(test)]
mod installed;
#[cfg(test)]
mod lease;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod part;
#[cfg(test)]
mod persona;
#[cfg(test)]
mod personas_like_the_api_server;
#[cfg(test)]
mod placed;
#[cfg(test)]
mod quantity;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod secured_metrics;
#[cfg(test)]
mod server;
#[cfg(test)]
mod suites;
#[cfg(test)]
mod watched;
#[cfg(test)]
mod webhook;
