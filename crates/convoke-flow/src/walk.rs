//! Walking the steps of a member, whatever they are nested in.

use crate::model::Step;

/// The steps directly within one.
pub(crate) fn within(step: &Step) -> Vec<&[Step]> {
    match step {
        Step::Block(block) => vec![&block.body],
        Step::Definition(definition) => vec![&definition.body],
        Step::Choice(choice) => choice.ways.iter().map(Vec::as_slice).collect(),
        Step::Repeat(repeat) => vec![&repeat.body],
        Step::Beside(body) => vec![body],
        Step::Call(_) | Step::Join | Step::Read(_) | Step::Stop(_) | Step::Opaque(_) => Vec::new(),
    }
}

/// Whether some step, at whatever depth, is such a one.
pub(crate) fn any(steps: &[Step], is: &impl Fn(&Step) -> bool) -> bool {
    steps.iter().any(|step| is(step) || within(step).into_iter().any(|steps| any(steps, is)))
}
