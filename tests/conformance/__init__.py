"""Does an index keep to the specifications? A suite for any Simple API and upload address; see README.md."""
