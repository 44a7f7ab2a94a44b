module writes

go 1.19
