module awaited

go 1.19
