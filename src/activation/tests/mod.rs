mod generated;
mod linter;
mod shells;
