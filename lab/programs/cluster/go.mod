module lastgasp.example/lab/cluster

go 1.21
