//! One device for every member of a group, or none for any (scheduling.md §9.1, §9.5).

use crate::check::{self, deficits};
use crate::inventory::{Inventory, When};
use crate::matching::{self, Limits, Match};
use crate::shortage::Shortage;
use crate::wanted::Wanted;

/// Which device a member gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// [`Wanted::member`].
    pub member: u32,
    /// The device.
    pub device: Assigned,
}

/// A device of the inventory, or one to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assigned {
    /// The device of this name.
    Listed(String),
    /// A new device of this type.
    Made {
        /// Its type.
        device_type: String,
    },
}

/// The devices for all of `wanted`, in their order, taken from those that can start a job now.
///
/// Of all ways to serve everybody the best fitting is chosen: fewest unneeded tags, then the least demanded, then the
/// least recently used devices, then by name; members with the same need get their devices in alphabetical order.
///
/// # Errors
/// Every [`Shortage`] there is: those of [`check::check`] when the group could never be served, else
/// [`ShortageKind::Busy`](crate::ShortageKind::Busy) ones. Never an empty list.
pub fn allocate(wanted: &[Wanted], inventory: &Inventory) -> Result<Vec<Assignment>, Vec<Shortage>> {
    let never = check::check(wanted, inventory);
    if !never.is_empty() {
        return Err(never);
    }
    let wants: Vec<&Wanted> = wanted.iter().collect();
    let found = matching::best(&wants, inventory, When::Now, Limits::Kept);
    if !found.covers {
        let sets = deficits(&wants, inventory, When::Now);
        return Err(sets.iter().map(|set| Shortage::busy(set, inventory)).collect());
    }
    let order = matching::by_name(inventory);
    let assigned = |found: &Option<Match>| {
        found.map(|found| match found {
            Match::Listed(rank) => Assigned::Listed(inventory.devices[order[rank]].name.clone()),
            Match::Made(index) => Assigned::Made { device_type: inventory.on_demand[index].device_type.clone() },
        })
    };
    let assignments = wanted.iter().zip(&found.matches);
    Ok(assignments
        .filter_map(|(want, found)| Some(Assignment { member: want.member, device: assigned(found)? }))
        .collect())
}
