//! A run may die or fail at any step, and what it has written may be damaged: the next run ends as a clean one.

mod damage;
mod deployed;
mod ends;
mod failing;
mod fresh;
mod interposer;
mod killed;
mod small;
mod soak;
mod state;
