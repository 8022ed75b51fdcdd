//! The flow of a job, judged: against an exhaustive search, and cause by cause.

mod agree;
mod build;
mod causes;
mod search;
