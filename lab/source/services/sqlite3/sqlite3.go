// Package sqlite3 stands for a driver: what imports it keeps its database in a file.
package sqlite3
