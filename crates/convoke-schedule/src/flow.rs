//! The cheapest of the largest flows in a small network.
//!
//! Successive shortest paths: each step sends what fits along the cheapest path of the residual network, found by
//! Dijkstra's algorithm on reduced costs, so the flow is always the cheapest of its size. Edges are looked at in the
//! order they were added, so the result depends on nothing else. Costs are not negative.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Cost of an edge or a path; see `matching` for what is packed into it.
pub(crate) type Cost = i128;

#[derive(Clone, Copy)]
struct Edge {
    to: usize,
    room: u32,
    cost: Cost,
}

/// A network. Edge `2i` is what was added, edge `2i + 1` its way back.
pub(crate) struct Network {
    edges: Vec<Edge>,
    outgoing: Vec<Vec<usize>>,
}

impl Network {
    pub(crate) fn new(nodes: usize) -> Self {
        Network { edges: Vec::new(), outgoing: vec![Vec::new(); nodes] }
    }

    /// Adds an edge and returns its handle.
    pub(crate) fn edge(&mut self, from: usize, to: usize, room: u32, cost: Cost) -> usize {
        let handle = self.edges.len();
        self.edges.push(Edge { to, room, cost });
        self.edges.push(Edge { to: from, room: 0, cost: -cost });
        self.outgoing[from].push(handle);
        self.outgoing[to].push(handle + 1);
        handle
    }

    /// Units that flow along the edge `handle`.
    pub(crate) fn carried(&self, handle: usize) -> u32 {
        self.edges[handle + 1].room
    }

    /// Sends as much as possible, as cheaply as possible, and says how much.
    pub(crate) fn run(&mut self, source: usize, sink: usize) -> u32 {
        let mut potential = vec![0; self.outgoing.len()];
        let mut sent = 0;
        while let Some(path) = self.cheapest_path(source, sink, &mut potential) {
            let units = path.iter().map(|handle| self.edges[*handle].room).min().unwrap_or_default();
            for handle in path {
                self.edges[handle].room -= units;
                self.edges[handle ^ 1].room = self.edges[handle ^ 1].room.saturating_add(units);
            }
            sent += units;
        }
        sent
    }

    fn cheapest_path(&self, source: usize, sink: usize, potential: &mut [Cost]) -> Option<Vec<usize>> {
        let mut reached: Vec<Option<Cost>> = vec![None; self.outgoing.len()];
        let mut came_by = vec![usize::MAX; self.outgoing.len()];
        let mut next = BinaryHeap::from([Reverse((0, source))]);
        reached[source] = Some(0);
        while let Some(Reverse((cost, node))) = next.pop() {
            if reached[node].is_some_and(|known| known < cost) {
                continue;
            }
            for &handle in &self.outgoing[node] {
                let edge = self.edges[handle];
                if edge.room == 0 {
                    continue;
                }
                let there = cost + edge.cost + potential[node] - potential[edge.to];
                if reached[edge.to].is_none_or(|known| there < known) {
                    reached[edge.to] = Some(there);
                    came_by[edge.to] = handle;
                    next.push(Reverse((there, edge.to)));
                }
            }
        }
        let last = reached[sink]?;
        // Nodes farther than the sink, or not reached, are raised alike: reduced costs stay non-negative.
        for (node, cost) in reached.iter().enumerate() {
            potential[node] += cost.map_or(last, |cost| cost.min(last));
        }
        let mut path = Vec::new();
        let mut node = sink;
        while node != source {
            let handle = came_by[node];
            path.push(handle);
            node = self.edges[handle ^ 1].to;
        }
        Some(path)
    }
}
