//! LAVA's pipeline action names per deploy, boot and test method (job-definition.md §6.4).
//!
//! One table serves the check of `action:` and `timeouts.actions` and the dispatcher's pipeline. Names and levels are
//! those of LAVA where its levels are seen by users (the overlay of a guest is built at level 1.1.5); the actions of
//! sandboxes are ours. A method without a table gets a plain tree that [`Method::listed`] tells apart.

mod boot;
mod deploy;
mod names;
mod test;

pub use names::all_names;

use crate::member::{Block, BlockKind, Definition, DefinitionFrom, TestKind};

/// One action of a pipeline and the actions it runs, by LAVA's stable names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionTree {
    /// LAVA's name.
    pub name: &'static str,
    /// Its children in order.
    pub children: Vec<ActionTree>,
    /// Whether it can be run again (`failure_retry`, `repeat`). Only the outermost such action of a block is.
    pub retries: bool,
    /// For the actions below `test-definition`: the number of the definition in its namespace (§14).
    pub definition: Option<usize>,
    /// For the actions that download something: its label in the block.
    pub image: Option<String>,
}

/// What a block's tree depends on besides the block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeContext {
    /// Whether the job is a member of a group.
    pub multinode: bool,
    /// Whether a boot has to end in a shell.
    pub shell: bool,
    /// The definitions this block fetches: number in the namespace and name of the fetching action.
    pub definitions: Vec<(usize, &'static str)>,
}

/// A block's tree, and whether §6.4 lists its method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// The actions.
    pub tree: ActionTree,
    /// Whether the names are complete, so that another name is a mistake.
    pub listed: bool,
}

impl TreeContext {
    /// The context of `blocks[block]`: a deploy fetches the definitions of all test blocks of its namespace, a docker
    /// test its own.
    pub fn of(blocks: &[Block], block: usize, multinode: bool) -> Self {
        let shell = wants_shell(&blocks.iter().collect::<Vec<_>>(), block);
        let mut context = TreeContext { multinode, shell, definitions: Vec::new() };
        let Some(this) = blocks.get(block) else { return context };
        let deploys = matches!(this.kind, BlockKind::Deploy { .. });
        if !deploys && !is_docker_test(this) {
            return context;
        }
        context.definitions = namespace_definitions(blocks, this.namespace())
            .filter(|(_, at, _)| if deploys { !is_docker_test(&blocks[*at]) } else { *at == block })
            .map(|(index, _, definition)| (index, fetch_action(definition)))
            .collect();
        context
    }
}

/// Whether a shell is needed on the console that the boot block `blocks[boot]` opens: definitions run in it. Monitors and
/// interactive scripts need none. With nothing to run, a shell shows that the device is up; a further line is only recorded.
pub fn wants_shell(blocks: &[&Block], boot: usize) -> bool {
    let Some(own) = blocks.get(boot).map(|block| block.namespace()) else { return true };
    let mut tests = blocks[boot + 1..]
        .iter()
        .take_while(|block| !(matches!(block.kind, BlockKind::Boot { .. }) && block.namespace() == own))
        .filter(|block| block.connection_namespace() == own && !is_docker_test(block))
        .filter_map(|block| match &block.kind {
            BlockKind::Test(kind) => Some(matches!(kind, TestKind::Definitions(_))),
            _ => None,
        })
        .peekable();
    let is_further = matches!(&blocks[boot].kind, BlockKind::Boot { method, .. } if method == "new_connection");
    tests.peek().is_none() && !is_further || tests.any(|shell| shell)
}

/// All definitions of a namespace with their number in it and the block they stand in (§14).
pub fn namespace_definitions<'a>(
    blocks: &'a [Block],
    namespace: &'a str,
) -> impl Iterator<Item = (usize, usize, &'a Definition)> {
    blocks
        .iter()
        .enumerate()
        .filter(move |(_, block)| block.namespace() == namespace)
        .flat_map(|(at, block)| match &block.kind {
            BlockKind::Test(TestKind::Definitions(definitions)) => definitions.iter().map(|one| (at, one)).collect(),
            _ => Vec::new(),
        })
        .enumerate()
        .map(|(index, (block, definition))| (index, block, definition))
}

/// The actions of one block in running order.
pub fn action_tree(block: &Block, context: &TreeContext) -> Method {
    match &block.kind {
        BlockKind::Deploy { to, .. } => deploy::tree(to, block, context),
        BlockKind::Boot { method, .. } => boot::tree(method, block, context),
        BlockKind::Test(kind) => Method { tree: test::tree(kind, block, context), listed: true },
        BlockKind::Command { .. } => Method { tree: leaf("command"), listed: true },
    }
}

/// What ends every pipeline.
pub fn finalize() -> ActionTree {
    action("finalize", vec![leaf("power-off"), leaf("read-feedback")])
}

impl ActionTree {
    /// Every action of the tree, parents before children.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names = vec![self.name];
        for child in &self.children {
            names.extend(child.names());
        }
        names
    }

    /// Whether any of its actions can be run again.
    pub fn can_retry(&self) -> bool {
        self.retries || self.children.iter().any(ActionTree::can_retry)
    }

    fn retrying(mut self) -> Self {
        self.retries = true;
        self
    }
}

fn leaf(name: &'static str) -> ActionTree {
    action(name, Vec::new())
}

fn action(name: &'static str, children: Vec<ActionTree>) -> ActionTree {
    ActionTree { name, children, retries: false, definition: None, image: None }
}

pub(crate) fn is_docker_test(block: &Block) -> bool {
    matches!(block.kind, BlockKind::Test(TestKind::Definitions(_))) && block.parameters.contains_key("docker")
}

fn fetch_action(definition: &Definition) -> &'static str {
    match definition.from {
        DefinitionFrom::Inline(_) => "inline-repo-action",
        DefinitionFrom::Git { .. } => "git-repo-action",
        DefinitionFrom::Url { .. } => "url-repo-action",
    }
}

/// `test-definition`: the steps of each definition one after the other, as LAVA numbers them.
fn test_definition(context: &TreeContext) -> ActionTree {
    let children = context
        .definitions
        .iter()
        .flat_map(|(index, fetch)| {
            [*fetch, "test-overlay", "test-install-overlay", "test-runscript-overlay"]
                .map(|name| ActionTree { definition: Some(*index), ..leaf(name) })
        })
        .collect();
    action("test-definition", children)
}
