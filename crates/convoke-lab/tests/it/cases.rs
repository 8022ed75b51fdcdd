//! What a sandbox promises.

use convoke_dispatcher::device::Device;

use crate::Scenario;
use crate::console::{boot, sandboxes};

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        pub(crate) const ALL: &[(&str, Scenario)] = &[$((stringify!($name), || Box::pin($name()))),*];
    };
}

scenarios![boots_to_a_root_shell];

async fn boots_to_a_root_shell() {
    let [mut alpha] = sandboxes(["alpha"]).await;
    let mut shell = boot(&mut alpha).await;
    assert_eq!(shell.run("id -u").await, "0\n");
    assert_eq!(shell.run("hostname").await, "alpha\n");
    assert_eq!(shell.run("tty").await, "/dev/pts/0\n");
    assert_eq!(shell.run("pwd").await, "/root\n");
    assert_eq!(shell.run("echo $HOME $USER").await, "/root root\n");
    alpha.power_off().await.unwrap();
    shell.end().await;
}
