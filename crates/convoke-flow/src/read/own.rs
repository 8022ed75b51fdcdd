//! Whether steps depend on the name of the member that takes them.

use crate::follow::OWN_NAME;
use crate::model::{Step, Text, Unknown, Why};

/// Whether anything in them is unknown because the member's own name is.
pub(super) fn depends(steps: &[Step]) -> bool {
    steps.iter().any(|step| match step {
        Step::Block(block) => depends(&block.body),
        Step::Definition(definition) => depends(&definition.body),
        Step::Call(call) => {
            let data = call.data.iter().flat_map(|(key, value)| [key, value]);
            [&call.id].into_iter().chain(&call.role).chain(data).any(by_text)
        }
        Step::Choice(choice) => by_name(&choice.unknown) || choice.ways.iter().any(|way| depends(way)),
        Step::Repeat(repeat) => by_name(&repeat.unknown) || depends(&repeat.body),
        Step::Beside(body) => depends(body),
        Step::Opaque(unknown) => by_name(unknown),
        Step::Join | Step::Read(_) | Step::Stop(_) => false,
    })
}

fn by_text(text: &Text) -> bool {
    matches!(text, Text::Unknown { unknown, .. } if by_name(unknown))
}

fn by_name(unknown: &Unknown) -> bool {
    matches!(&unknown.why, Why::Assignment(what) if what == OWN_NAME)
}
