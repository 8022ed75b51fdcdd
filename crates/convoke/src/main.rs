//! Convoke runs one test across many devices.

fn main() {}
