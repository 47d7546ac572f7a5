mod demands;
mod patch;
mod search;
