// The one executable: each sub-command registers itself from its own file.
int main() { return 0; }
