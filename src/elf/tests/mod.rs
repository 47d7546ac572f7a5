mod patch;
mod search;
