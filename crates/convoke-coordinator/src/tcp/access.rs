//! What a coordinator may ask for before it serves.

use crate::wire::Token;

/// What a client shows to its coordinator.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Shown with every request that has fields of our own. LAVA's coordinators do not look at it.
    pub token: Option<Token>,
}
