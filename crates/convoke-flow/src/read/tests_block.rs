//! The test definitions of a block.

use std::time::Duration;

use convoke_group::CallKind;
use convoke_job::member::{Definition as Given, DefinitionFrom};
use convoke_job::{MemberJob, Node, Span};

use super::blocks::{Scene, known};
use super::scalar;
use crate::model::{Call, Definition, Origin, Step, Unknown, Why};

/// Reads the definitions of one block.
pub(super) struct Reader<'a, 'b> {
    pub(super) scene: &'a mut Scene<'b>,
    #[expect(dead_code, reason = "variables come with the shell")]
    pub(super) member: &'a MemberJob,
    /// Of a call from the test shell.
    pub(super) limit: Duration,
}

impl Reader<'_, '_> {
    pub(super) fn definition(&mut self, given: &Given, node: Option<&Node>, span: Span) -> Definition {
        let document = self.scene.document;
        let place = document.place_of(node.map(|node| node.get("name").unwrap_or(node)), span);
        let body = match &given.from {
            DefinitionFrom::Inline(_) => {
                self.steps(node.and_then(|node| node.get("repository")?.get("run")?.get("steps")))
            }
            DefinitionFrom::Git { repository, .. } | DefinitionFrom::Url { repository, .. } => {
                let _ = self.scene.repositories.get(given);
                vec![Step::Opaque(Unknown { why: Why::Elsewhere(repository.clone()), place: place.clone() })]
            }
        };
        Definition { name: given.name.clone(), place, body }
    }

    fn steps(&mut self, steps: Option<&Node>) -> Vec<Step> {
        let steps = steps.and_then(Node::as_list).unwrap_or_default();
        let texts = steps.iter().filter_map(|step| Some((step, step.as_text()?)));
        texts.filter_map(|(node, text)| self.plain(node, text)).map(Step::Call).collect()
    }

    /// A step that is one plain command.
    fn plain(&self, node: &Node, text: &str) -> Option<Call> {
        let document = self.scene.document;
        let mut words = text.split_whitespace();
        let kind = match words.next()? {
            "lava-send" => CallKind::Send,
            "lava-wait" => CallKind::Wait,
            "lava-wait-all" => CallKind::WaitAll,
            "lava-sync" => CallKind::Sync,
            _ => return None,
        };
        let map = scalar::bytes(document.source.text(), node, text);
        Some(Call {
            kind,
            id: known(words.next()?),
            role: if kind == CallKind::WaitAll { words.next().map(known) } else { None },
            data: words
                .filter_map(|pair| pair.split_once('='))
                .map(|(key, value)| (known(key), known(value)))
                .collect(),
            origin: Origin::Helper { wrapped: None },
            limit: self.limit,
            place: document.place(map.span(Span::new(0, text.trim_end().len()))),
        })
    }
}
