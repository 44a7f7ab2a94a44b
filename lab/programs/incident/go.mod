module lastgasp.example/lab/incident

go 1.21
