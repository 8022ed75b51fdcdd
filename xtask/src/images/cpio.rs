//! Writes an initramfs: a cpio archive in the `newc` form. The same tree gives the same bytes: entries are sorted, times are
//! zero, everything is root's.

use std::collections::BTreeMap;

/// What stands at a path.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Folder(u32),
    File(u32, Vec<u8>),
    Link(String),
}

/// Paths without a leading slash, and what stands there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree(BTreeMap<String, Node>);

impl Tree {
    /// Puts a node there, and the folders above it.
    pub(crate) fn put(&mut self, path: &str, node: Node) {
        for (at, _) in path.match_indices('/') {
            self.0.entry(path[..at].to_owned()).or_insert(Node::Folder(0o755));
        }
        self.0.insert(path.to_owned(), node);
    }

    /// The archive. A parent sorts before what is in it.
    pub(crate) fn archive(&self) -> Vec<u8> {
        let mut archive = Vec::new();
        for (inode, (path, node)) in (1..).zip(&self.0) {
            match node {
                Node::Folder(mode) => entry(&mut archive, inode, 0o040_000 | mode, path, &[]),
                Node::File(mode, bytes) => entry(&mut archive, inode, 0o100_000 | mode, path, bytes),
                Node::Link(target) => entry(&mut archive, inode, 0o120_777, path, target.as_bytes()),
            }
        }
        entry(&mut archive, 0, 0, "TRAILER!!!", &[]);
        archive
    }
}

fn entry(archive: &mut Vec<u8>, inode: usize, mode: u32, name: &str, bytes: &[u8]) {
    let (size, length) = (bytes.len(), name.len() + 1);
    archive.extend(b"070701");
    // inode, mode, owner, group, links, time, size, the file's device (2), the node's device (2), length of the name, sum
    let fields = [inode, mode as usize, 0, 0, 1, 0, size, 0, 0, 0, 0, length, 0];
    archive.extend(fields.iter().flat_map(|field| format!("{field:08X}").into_bytes()));
    archive.extend(name.as_bytes());
    archive.push(0);
    pad(archive);
    archive.extend(bytes);
    pad(archive);
}

fn pad(archive: &mut Vec<u8>) {
    archive.resize(archive.len().next_multiple_of(4), 0);
}
