module collections

go 1.19
