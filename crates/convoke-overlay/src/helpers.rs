//! The helper commands: POSIX sh files of `helpers/`, put into `bin/` of the overlay (device-side.md §6).
//!
//! Each is a file of its own with `#!/bin/sh` as its first line; the layout puts the device's shell there and changes
//! nothing else. What differs from member to member (names, roles, device data) is in data files beside `bin/`, never in
//! the text of a helper. The `.lib` files are sourced by the others.
//!
//! | place, from `bin/` | written by | read by |
//! |---|---|---|
//! | `../multinode/{self,role,group,all}` | the layout | lava-self, lava-role, lava-group, and what cuts replies |
//! | `../device/{ip,mac,storage,probe-ip,probe-channel}` | the layout | lava-target-*, lava-probe-* |
//! | `../multinode/{cache.txt,network_cache.txt}` | lava-wait, lava-wait-all, lava-network | tests |
//! | `../multinode/lava-console.lock/` | whoever waits for a reply | the same |
//! | `../multinode/lava-console.lock.to.ID` | who holds that lock | the helper whose request has this id |
//! | `../STAGE/results/SUITE/signals` | whoever reports a result on the checked link | lava-test-runner |
//! | `../multinode/lava-console.lock.unanswered` | a waiting helper that is ended | the next one that waits |
//! | `../runner-start` | lava-test-runner | itself, in the next stage |
//! | `../background/` | lava-background-process-start | lava-background-process-stop |
//! | `../device/distro` | the layout | lava-install-packages and its relatives |
//!
//! From the environment file they take, beside LAVA's own `KMSG` and `CHARACTER_DELAY`:
//!
//! | variable | meaning |
//! |---|---|
//! | `LAVA_QUIET_REPORT=1` | the dispatcher wants the two lines below |
//! | `LAVA_LINK=2`, `LAVA_LINK_NONCE` | the dispatcher knows the checked link; where its ids begin |
//! | `LAVA_LINK_TICK`, `LAVA_LINK_TRIES` | how long one look at the console lasts, in tenths of a second, and how often a part is sent; 10 and 20 |
//! | `LAVA_CONSOLE` | the console, when the runner shall not look for it |
//! | `LAVA_MULTI_NODE_DIR` | in the place of `../multinode` for names and roles |
//! | `LAVA_MULTI_NODE_CACHE`, `LAVA_MULTI_NODE_NETWORK_CACHE` | in the place of the files in `/tmp` |
//! | `LAVA_MULTI_NODE_DEBUG` | words for people about each request, on standard error |
//! | `LAVA_INSTALL_TRIES`, `LAVA_INSTALL_PAUSE` | how often, and seconds between; 5 and 60 |
//!
//! Lines for a dispatcher that asked for them; one that did not know them would ignore them:
//!
//! - `<LAVA_QUIET CALL ID>`, CALL one of WAIT, WAIT_ALL and SYNC, immediately before the request it belongs to: it is
//!   certain that nothing else of the device's test shell is alive.
//! - `<LAVA_GAVE_UP CALL ID>`: the helper that made this request was ended before its reply came. The reply must not be
//!   typed any more, for the next helper that waits would take it for its own.

/// One helper command.
#[derive(Clone, Copy, Debug)]
pub struct Helper {
    /// Its file name in `bin/`.
    pub name: &'static str,
    /// Its text, first line included.
    pub text: &'static str,
    /// Whether it is there only in a MultiNode job.
    pub multinode: bool,
}

macro_rules! helpers {
    ($($name:literal $multinode:literal)*) => {
        &[$(Helper {
            name: $name,
            text: include_str!(concat!("../helpers/", $name)),
            multinode: $multinode,
        }),*]
    };
}

/// All helper commands, with whether each is for MultiNode jobs only.
pub fn all() -> &'static [Helper] {
    HELPERS
}

static HELPERS: &[Helper] = helpers![
    "lava-add-keys" false
    "lava-add-sources" false
    "lava-background-process-start" false
    "lava-background-process-stop" false
    "lava-check.lib" false
    "lava-common.lib" false
    "lava-console.lib" false
    "lava-echo-ipv4" false
    "lava-group" true
    "lava-install-packages" false
    "lava-installed-packages" false
    "lava-link.lib" false
    "lava-lock.lib" false
    "lava-multi-node.lib" true
    "lava-network" true
    "lava-network.lib" false
    "lava-os-build" false
    "lava-packages.lib" false
    "lava-probe-channel" false
    "lava-probe-ip" false
    "lava-quiet.lib" true
    "lava-role" true
    "lava-self" true
    "lava-send" true
    "lava-sync" true
    "lava-target-ip" false
    "lava-target-mac" false
    "lava-target-storage" false
    "lava-test-case" false
    "lava-test-event" false
    "lava-test-feedback" false
    "lava-test-raise" false
    "lava-test-reference" false
    "lava-test-runner" false
    "lava-test-set" false
    "lava-test-shell" false
    "lava-wait" true
    "lava-wait-all" true
];
