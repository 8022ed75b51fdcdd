//! What a coordinator may ask for before it serves.

use super::tls::ClientTls;
use crate::wire::Token;

/// What a client shows to its coordinator.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Shown with every request that has fields of our own. LAVA's coordinators do not look at it.
    pub token: Option<Token>,
    /// For a coordinator's TLS port.
    pub tls: Option<ClientTls>,
}
