//! A connection of the simulation: what the real one does with the groups (`connection.rs`), over a network that is
//! a few channels.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use convoke_group::GroupName;
use tokio::sync::oneshot;

use crate::registry::Ticket;
use crate::server::hub::{Answered, Hub};
use crate::wire::{Ask, Reply, Request};

/// What the server has done last on a connection.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stage {
    /// The request is taken, or held.
    Asked,
    Written(Reply),
    Closed,
}

/// What happens to the request of a connection, from outside.
#[derive(Debug)]
pub(super) struct Wires {
    /// The time for which it is held is over.
    pub(super) over: oneshot::Receiver<()>,
    /// Its caller is gone.
    pub(super) gone: oneshot::Receiver<()>,
    /// Whether the reply reached its caller.
    pub(super) fate: oneshot::Receiver<bool>,
}

struct Open<'a> {
    hub: &'a Arc<Hub>,
    group: &'a GroupName,
    ticket: Ticket,
    settled: bool,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.hub.withdraw(self.group, self.ticket);
        }
    }
}

pub(super) async fn serve(hub: Arc<Hub>, request: Request, wires: Wires, stage: Rc<RefCell<Stage>>) {
    let group = request.group.clone();
    let is_sync = matches!(request.ask, Ask::Sync { .. });
    let Some((ticket, mut answered)) = hub.ask(request, std::net::IpAddr::from([127, 0, 0, 1])).await else {
        *stage.borrow_mut() = Stage::Closed;
        return;
    };
    let mut open = Open { hub: &hub, group: &group, ticket, settled: false };
    let come_again = || {
        hub.withdraw(&group, ticket);
        Answered { reply: Some(Reply::Wait), kept: None }
    };
    let answered = match answered.try_recv() {
        Ok(answered) => answered,
        Err(_) => tokio::select! {
            biased;
            answered = &mut answered => answered.expect("a held request is answered"),
            Ok(()) = wires.over => {
                hub.tick(&group);
                answered.try_recv().unwrap_or_else(|_| come_again())
            }
            Ok(()) = wires.gone => {
                *stage.borrow_mut() = Stage::Closed;
                return;
            }
        },
    };
    let kept = match answered.kept {
        Some(kept) => kept.wait().await,
        None => true,
    };
    let Some(reply) = answered.reply.filter(|_| kept) else {
        *stage.borrow_mut() = Stage::Closed;
        return;
    };
    let released = is_sync && matches!(reply, Reply::AckWith(_));
    *stage.borrow_mut() = Stage::Written(reply);
    let arrived = wires.fate.await.unwrap_or(false);
    if released && arrived {
        hub.delivered(&group, ticket, true);
    }
    open.settled = !released || arrived;
}
