module lastgasp.example/lab/kept

go 1.19
