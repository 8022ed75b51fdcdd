//! The test blocks of a member and what is known of their definitions.
//!
//! A stage is a test block with `definitions`; its number names its directory on the device. Suites are numbered over
//! all definitions of a namespace (device-side.md §1.1). A member has one device here, also when it has several
//! namespaces: stages are therefore numbered over the whole job, and every overlay carries all definitions fetched so
//! far, so that a later deploy does not take away what an earlier namespace needs.

use convoke_job::MemberJob;
use convoke_job::member::{BlockKind, Definition, TestKind};
use convoke_overlay::layout::{Stage, StagedDefinition};

/// All stages of a member.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stages {
    pub(crate) list: Vec<StagePlan>,
}

/// One test block with definitions.
#[derive(Clone, Debug)]
pub(crate) struct StagePlan {
    /// Its block's number in the job.
    pub(crate) block: usize,
    /// Its namespace.
    pub(crate) namespace: String,
    /// Its definitions in order.
    pub(crate) definitions: Vec<DefinitionPlan>,
}

/// One definition of a stage.
#[derive(Clone, Debug)]
pub(crate) struct DefinitionPlan {
    /// Its number in the namespace.
    pub(crate) index: usize,
    /// The job's entry.
    pub(crate) entry: Definition,
    /// What a deploy has fetched for it.
    pub(crate) fetched: Option<StagedDefinition>,
}

impl DefinitionPlan {
    /// `<index>_<name>`
    pub(crate) fn suite(&self) -> String {
        format!("{}_{}", self.index, self.entry.name)
    }
}

impl Stages {
    /// The stages of `job`.
    pub(crate) fn of(job: &MemberJob) -> Self {
        let mut stages = Stages::default();
        for (number, block) in job.blocks.iter().enumerate() {
            let BlockKind::Test(TestKind::Definitions(entries)) = &block.kind else { continue };
            let space = block.namespace();
            let first = stages.definitions(space).count();
            let definitions = entries
                .iter()
                .enumerate()
                .map(|(at, entry)| DefinitionPlan { index: first + at, entry: entry.clone(), fetched: None })
                .collect();
            stages.list.push(StagePlan { block: number, namespace: space.into(), definitions });
        }
        stages
    }

    fn definitions(&self, namespace: &str) -> impl Iterator<Item = &DefinitionPlan> {
        self.list.iter().filter(move |stage| stage.namespace == namespace).flat_map(|stage| &stage.definitions)
    }

    /// The definition with a number in a namespace, and the number of its stage.
    pub(crate) fn definition(&mut self, namespace: &str, index: usize) -> Option<(usize, &mut DefinitionPlan)> {
        let stages = self.list.iter_mut().enumerate().filter(|(_, stage)| stage.namespace == namespace);
        stages
            .flat_map(|(number, stage)| stage.definitions.iter_mut().map(move |plan| (number, plan)))
            .find(|(_, plan)| plan.index == index)
    }

    /// The stage of a block: its number and plan.
    pub(crate) fn of_block(&self, block: usize) -> Option<(usize, &StagePlan)> {
        self.list.iter().enumerate().find(|(_, stage)| stage.block == block)
    }

    /// What goes into an overlay: everything fetched so far.
    pub(crate) fn staged(&self) -> Vec<Stage> {
        self.list
            .iter()
            .map(|stage| Stage {
                definitions: stage.definitions.iter().filter_map(|plan| plan.fetched.clone()).collect(),
            })
            .collect()
    }
}
