"""Teaching: assignments for a class, and checks that tell a student what is wrong."""
