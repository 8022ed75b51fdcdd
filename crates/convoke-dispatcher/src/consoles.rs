//! The consoles of a member, by the namespace that uses them (job-definition.md §5: `namespace`,
//! `connection-namespace`).
//!
//! A device has one console that its boot opens, whatever namespace boots it last, and further ones that
//! `boot: new_connection` opens beside it. A namespace uses the connection that it has opened, else the device's console.
//! Booting again replaces the device's console; further connections stay, as the lines they are.

use std::collections::BTreeMap;

use crate::console::ConsoleLink;

/// The open consoles, and the prompts to wait for on each.
#[derive(Debug, Default)]
pub(crate) struct Consoles {
    main: Option<ConsoleLink>,
    further: BTreeMap<String, ConsoleLink>,
    prompts: BTreeMap<String, Vec<String>>,
}

impl Consoles {
    /// The console that a namespace uses.
    pub(crate) fn of(&self, namespace: &str) -> Option<&ConsoleLink> {
        self.further.get(namespace).or(self.main.as_ref())
    }

    /// The device's own console, when `namespace` uses another one.
    pub(crate) fn beside(&self, namespace: &str) -> Option<&ConsoleLink> {
        self.further.get(namespace).and(self.main.as_ref())
    }

    /// The device's own console.
    pub(crate) fn main(&self) -> Option<&ConsoleLink> {
        self.main.as_ref()
    }

    /// Whether a namespace has a connection of its own.
    pub(crate) fn has_own(&self, namespace: &str) -> bool {
        self.further.contains_key(namespace)
    }

    /// Prompts of a namespace's last boot, as given.
    pub(crate) fn prompts(&self, namespace: &str) -> &[String] {
        self.prompts.get(namespace).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn set_prompts(&mut self, namespace: &str, prompts: Vec<String>) {
        self.prompts.insert(namespace.to_owned(), prompts);
    }

    /// Closes what a boot by `namespace` replaces: the device's console, and the connection of that namespace.
    pub(crate) fn close_main(&mut self, namespace: &str) {
        self.main = None;
        self.further.remove(namespace);
    }

    /// The device has booted and has this console.
    pub(crate) fn booted(&mut self, link: ConsoleLink) {
        self.main = Some(link);
    }

    /// Closes the connection that a namespace has opened.
    pub(crate) fn close(&mut self, namespace: &str) {
        self.further.remove(namespace);
    }

    /// A namespace has opened a connection.
    pub(crate) fn opened(&mut self, namespace: &str, link: ConsoleLink) {
        self.further.insert(namespace.to_owned(), link);
    }

    /// Closes them all.
    pub(crate) fn close_all(&mut self) {
        self.main = None;
        self.further.clear();
    }
}
