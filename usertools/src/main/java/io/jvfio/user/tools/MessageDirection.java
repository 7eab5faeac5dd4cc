// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

/** Which way a message goes. */
public enum MessageDirection {
  /** From the client to the server. */
  TO_SERVER("->", "toServer"),
  /** From the server to the client. */
  TO_CLIENT("<-", "toClient");

  private final String arrow;
  private final String id;

  MessageDirection(String arrow, String id) {
    this.arrow = arrow;
    this.id = id;
  }

  /** An arrow, with the client on the left and the server on the right. */
  public String arrow() {
    return arrow;
  }

  /** Its name in JSON. */
  public String id() {
    return id;
  }

  /** The other way, which is a reply's. */
  public MessageDirection back() {
    return this == TO_SERVER ? TO_CLIENT : TO_SERVER;
  }
}
