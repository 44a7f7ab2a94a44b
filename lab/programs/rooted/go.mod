module rooted

go 1.19
