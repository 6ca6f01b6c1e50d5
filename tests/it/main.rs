//! The one integration binary: each file below is a topic.

// `cfg(test)` always holds here; it tells clippy that these are tests, where a panic is the way to report.
#[cfg(test)]
mod generated;
#[cfg(test)]
mod personas_like_the_api_server;
#[cfg(test)]
mod quantity;
