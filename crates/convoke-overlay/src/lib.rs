//! What goes onto a device, and what comes back on its console. Pure: files in, archive out; bytes in, events out.
//!
//! | module | is about |
//! |---|---|
//! | [`helpers`] | the helper commands, POSIX sh files |
//! | [`definition`] | a test definition: what its document says |
//! | [`script`] | `run.sh` and `install.sh` made from a definition |
//! | [`link`] | the checked link: frames, transactions |
//! | [`layout`] | the overlay of one member as a list of files, and its archive |
//! | [`monitor`] | results in what a device prints between two texts |
//! | [`prompt`] | waiting for prompts on a console |
//! | [`quote`] | text for a shell |
//! | [`reply`] | the line that answers a waiting helper |
//! | [`scanner`] | console bytes in, signals out |
//! | [`signal`] | the signals and replies of device-side.md §4 |

pub mod definition;
pub mod helpers;
pub mod layout;
pub mod link;
pub mod monitor;
pub mod prompt;
pub mod quote;
pub mod reply;
pub mod scanner;
pub mod script;
pub mod signal;
