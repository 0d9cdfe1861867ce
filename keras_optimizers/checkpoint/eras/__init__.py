"""What each era of Keras can express, and how it writes it down."""
