// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What a writer asked of a disk and what was acknowledged, for {@code src/main/c/survivors.c},
 * which tells what the records are. A record is in the kernel's hands when the method that wrote it
 * returns: a writer that is killed leaves a log that is right. So a command is given to the disk
 * after its beginning was logged, and its end is logged after its completion was seen.
 *
 * <p>Safe for use by several threads.
 */
final class WriteLog implements AutoCloseable {
  private static final int RECORD = 32;
  private static final byte WRITE_BEGINS = 1;
  private static final byte WRITE_ENDED = 2;
  private static final byte FLUSH_BEGINS = 3;
  private static final byte FLUSH_ENDED = 4;
  private static final byte NO_END = 5;

  private final FileChannel channel;
  private final AtomicLong generations;
  private final ThreadLocal<ByteBuffer> records =
      ThreadLocal.withInitial(
          () -> ByteBuffer.allocateDirect(RECORD).order(ByteOrder.LITTLE_ENDIAN));

  private WriteLog(FileChannel channel, long generation) {
    this.channel = channel;
    generations = new AtomicLong(generation);
  }

  /**
   * Opens a log to append to.
   *
   * @param generation one that no write of the disk has had, nor any after it
   */
  static WriteLog open(Path file, long generation) throws IOException {
    return new WriteLog(
        FileChannel.open(
            file, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.APPEND),
        generation);
  }

  /** Opens the log of a disk with no other, to append to. */
  static WriteLog open(Path file) throws IOException {
    var log = open(file, 1);
    // Each record has had one generation at most.
    log.generations.set(1 + log.channel.size() / RECORD);
    return log;
  }

  /** A generation for a write, or a number for a flush. */
  long next() {
    return generations.getAndIncrement();
  }

  /**
   * Sets generations aside for another writer to the same log.
   *
   * @return the first of them
   */
  long setAside(long count) {
    return generations.getAndAdd(count);
  }

  void writeBegins(long generation, long block, int blocks, boolean isDurable) {
    append(WRITE_BEGINS, isDurable ? 1 : 0, 0, blocks, generation, block);
  }

  void writeEnded(long generation, int status) {
    append(WRITE_ENDED, 0, status, 0, generation, 0);
  }

  void flushBegins(long number) {
    append(FLUSH_BEGINS, 0, 0, 0, number, 0);
  }

  void flushEnded(long number, int status) {
    append(FLUSH_ENDED, 0, status, 0, number, 0);
  }

  /** Whatever is under way has no end: the disk has gone, or a writer before this one has. */
  void noEnd() {
    append(NO_END, 0, 0, 0, 0, 0);
  }

  private void append(int what, int flags, int status, int blocks, long generation, long block) {
    var buffer = records.get();
    buffer.clear();
    buffer.put((byte) what).put((byte) flags).putShort((short) status).putInt(blocks);
    buffer.putLong(generation).putLong(block).putLong(0).flip();
    try {
      if (channel.write(buffer) != RECORD) {
        throw new IOException("the log has no room");
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
