//! Action trees of test blocks.

use super::{ActionTree, TreeContext, action, deploy, is_docker_test, leaf};
use crate::member::{Block, TestKind};

pub(super) fn tree(kind: &TestKind, block: &Block, context: &TreeContext) -> ActionTree {
    match kind {
        TestKind::Definitions(_) if is_docker_test(block) => {
            let shell = if context.multinode { "lava-multinode-docker-test-shell" } else { "lava-docker-test-shell" };
            let children = vec![
                leaf("lava-docker-test-set-environment"),
                deploy::docker_overlay(context),
                leaf(shell),
                leaf("read-feedback"),
            ];
            action("lava-docker-test", children).retrying()
        }
        // LAVA never repeats the test of a group's member; we do when asked to (§5).
        TestKind::Definitions(_) if context.multinode => leaf("multinode-test").retrying(),
        TestKind::Definitions(_) => action("lava-test-retry", vec![leaf("lava-test-shell")]).retrying(),
        TestKind::Monitors(_) => leaf("lava-test-monitor").retrying(),
        TestKind::Interactive(_) => {
            action("lava-test-interactive-retry", vec![leaf("lava-test-interactive")]).retrying()
        }
        TestKind::Services(_) => leaf("lava-test-services"),
    }
}
