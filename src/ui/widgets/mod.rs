//! What panels are drawn with.

pub mod area;
pub mod bar;
pub mod distribution;
pub mod frame;
pub mod heat;
pub mod lanes;
pub mod lines;
pub mod page;
pub mod prompt;
pub mod ridges;
pub mod rows;
pub mod signals;
pub mod spark;
pub mod text;
pub mod wait_graph;
